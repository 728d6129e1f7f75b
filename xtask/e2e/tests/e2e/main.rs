//! The whole product, end to end.

#[cfg(test)]
mod auditing;
#[cfg(test)]
mod automatic;
#[cfg(test)]
mod chip;
#[cfg(test)]
mod claiming;
#[cfg(test)]
mod dashboard;
#[cfg(test)]
mod drawer;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod inside;
#[cfg(test)]
mod killing;
#[cfg(test)]
mod list;
#[cfg(test)]
mod people;
#[cfg(test)]
mod restored;
#[cfg(test)]
mod rotating;
#[cfg(test)]
mod speed;
#[cfg(test)]
mod tabs;
#[cfg(test)]
mod this_machine;
#[cfg(test)]
mod up;
