//! States of patches on devices, and the counts that follow from them.
