//! Rows of the catalog: OS releases, patches, their packages.
