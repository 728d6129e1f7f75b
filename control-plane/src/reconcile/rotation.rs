//! Takes the steps of a rotation that goes by itself.

use crate::authority::Authority;
use crate::authority::rotation::RotationError;
use kaliun_domain::rotation::Course;
use kaliun_store::StoreError;
use std::sync::atomic::{AtomicI64, Ordering};

/// Takes the next step, if it is due. `told` is the number of boxes that it was last said to be stopped for, so that it is said once.
pub(super) async fn look(authority: &Authority, told: &AtomicI64) -> Result<(), StoreError> {
    let found = match authority.continue_rotation().await {
        Ok(found) => found,
        Err(RotationError::Store(error)) => return Err(error),
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "the rotation cannot go on");
            return Ok(());
        }
    };
    let stranded = if let Course::Stop { stranded, .. } = found { stranded } else { 0 };
    if stranded != told.swap(stranded, Ordering::Relaxed) && stranded > 0 {
        tracing::warn!(stranded, "the rotation stops: boxes might not find the server again; see `fleetctl ca status`");
    }
    Ok(())
}
