//! Parts that pages are made of. Most are plain functions that return one erased type: each is compiled once, which keeps the browser
//! part small.

pub mod bar;
pub mod confirm;
pub mod content;
pub mod field;
pub mod flash;
pub mod form;
pub mod html;
pub mod icon;
pub mod ladder;
pub mod lane;
pub mod marks;
pub mod opened;
pub mod pager;
pub mod section;
pub mod select;
pub mod text_area;
pub mod timeline;
pub mod when;
