"""Photo → features; the photo is a file by anyone, and opened with care."""
