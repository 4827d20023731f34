"""XMP packets: read as photo software reads them, marked in their own dialect, and unmarked."""
