//! What the screens show, as plain data: no browser, no clock, no network. Built and tested natively.

pub mod answer;
pub mod backoff;
pub mod by_id;
pub mod chart;
pub mod claim;
pub mod device;
pub mod enrollment;
pub mod failure;
pub mod filter;
pub mod format;
pub mod freshness;
pub mod gauge;
pub mod identity;
pub mod light;
pub mod mark;
pub mod picture;
pub mod placing;
pub mod route;
pub mod rows;
pub mod series;
pub mod standing;
pub mod subscription;
