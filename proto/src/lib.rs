//! The contract between the parts, generated from `proto/kaliun/*/v1/*.proto`.
//!
//! Devices, fleetctl and the browser speak these services. With the feature `transport` there are servers and clients over
//! TCP; without it the client stubs build for wasm, where the browser brings the transport.

#![expect(
    unused_qualifications,
    clippy::allow_attributes_without_reason,
    clippy::large_enum_variant,
    reason = "generated code"
)]
#![cfg_attr(feature = "transport", expect(clippy::allow_attributes, reason = "generated servers have their own"))]

/// How a box without a certificate gets one.
pub mod enrollment {
    /// Version 1.
    pub mod v1 {
        tonic::include_proto!("kaliun.enrollment.v1");
    }
}

/// What people and programs see of a fleet.
pub mod fleet {
    /// Version 1.
    pub mod v1 {
        tonic::include_proto!("kaliun.fleet.v1");
    }
}

/// The stream between a box and the control plane.
pub mod link {
    /// Version 1.
    pub mod v1 {
        tonic::include_proto!("kaliun.link.v1");
    }
}

/// What a box measures and says of itself.
pub mod telemetry {
    /// Version 1.
    pub mod v1 {
        tonic::include_proto!("kaliun.telemetry.v1");
    }
}

/// All files of the contract as an encoded `FileDescriptorSet`, for server reflection and for tests that walk it.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
