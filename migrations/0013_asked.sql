-- What a permit named, so that its result is compared with that: a source package that was rebuilt has binaries of another version
-- (`1.2-3+b1` of `1.2-3`), and more than one device after the other may be offered. NULL = permitted before this was kept.

ALTER TABLE attempt ADD COLUMN asked TEXT;     -- JSON of Vec<PackageVersion>
