//! Parts that pages are made of. They render and nothing else.

pub(crate) mod account_menu;
pub(crate) mod ask_access;
pub(crate) mod chart;
pub(crate) mod commanded;
pub(crate) mod consent;
pub(crate) mod entry_list;
pub(crate) mod form;
pub(crate) mod gauge;
pub(crate) mod home_field;
pub(crate) mod icon;
pub(crate) mod light;
pub(crate) mod live_banner;
pub(crate) mod lone;
pub(crate) mod moving;
pub(crate) mod notice;
pub(crate) mod question;
pub(crate) mod role_select;
pub(crate) mod shell;
pub(crate) mod shown_once;
pub(crate) mod state_mark;
pub(crate) mod theme;
pub(crate) mod time;
pub(crate) mod time_zone;
