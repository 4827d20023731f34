"""Kinds of image and video files, told apart by the endings of their names, in lower case.

A folder is searched by these endings; once a file is opened, its content says what it is
(`mmcgan.inference.photos.images`). A photo's neighbours are judged by them too: `photo.xmp` may be
the sidecar of any photo or video of that name, and of no other file.
"""

from __future__ import annotations


def _endings(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


# Read by what mmcgan always brings. A camera's MPO and Insta360's INSP begin with a whole JPEG.
BUILT_IN = _endings(
    ".jpg .jpeg .jpe .jfif .jfi .jif .pjpeg .pjp .mpo .jps .insp .png .apng .webp .tif .tiff .btf "
    ".gif .bmp .dib"
)

# Read with the package of an extra (`mmcgan.inference.photos.formats.extra_formats`).
HEIC = _endings(".heic .heif .hif .heics .heifs")
RAW = _endings(
    ".dng .nef .nrw .cr2 .cr3 .crw .arw .arq .srf .sr2 .orf .ori .rw2 .raw .rwl .raf .pef .ptx "
    ".srw .mrw .x3f .3fr .fff .iiq .cap .mef .mos .mfw .dcr .dcs .drf .kdc .k25 .kc2 .dc2 .erf "
    ".gpr .bay .cs1 .mdc .obm .pxn .qtk .rdc .rwz .sti"
)

# Known, and not read: what the kind is called, in the plural.
_NOT_READ = {
    "AVIF files": ".avif .avifs",
    "JPEG XL files": ".jxl",
    "JPEG 2000 files": ".jp2 .j2k .j2c .jpc .jpf .jpx .jpm",
    "JPEG XR files": ".jxr .wdp .hdp",
    "Photoshop files": ".psd .psb",
    "layered pictures of painting programs": ".xcf .ora .kra .afphoto",
    "HDR pictures": ".exr .hdr .pfm",
    "drawings": ".svg .svgz .emf .wmf",
    "pictures of a rare kind": (
        ".tga .pcx .ppm .pgm .pbm .pnm .pam .dds .ico .eip .jng .mng .jls .jxs .bpg .qoi .pcd .fpx "
        ".sgi .ras .pct .pict .cin .dpx .avci .livp"
    ),
    "videos": (
        ".mp4 .m4v .mov .qt .avi .mkv .webm .mts .m2ts .m2t .3gp .3g2 .mpg .mpeg .mpe .wmv .asf "
        ".flv .f4v .ogv .tod .mod .vob .dv .m2v .3gpp .rm .rmvb .divx .mxf .insv .360 .braw .r3d "
        ".nev .crm"
    ),
}
NOT_READ = {suffix: what for what, listed in _NOT_READ.items() for suffix in _endings(listed)}

PHOTOS_AND_VIDEOS = BUILT_IN | HEIC | RAW | NOT_READ.keys()
