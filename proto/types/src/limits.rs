//! Bounds that both ends of a wire must know. Each says where its number comes from.

/// Largest message on the device link, bytes. A heartbeat waits behind one message at most: 32 kB take 0.3 s at 1 Mbit/s.
pub const LINK_MESSAGE_MAX_BYTES: usize = 32 * 1024;

/// Most samples in one batch. A sample of 17 metrics takes about 180 bytes on the wire, so 128 stay below 24 kB.
pub const BATCH_ITEMS_MAX: usize = 128;

/// Most metrics in one sample. Leaves room for per-disk and per-sensor metrics on a large box.
pub const SAMPLE_METRICS_MAX: usize = 256;

/// Most reasons in one verdict. More than a person reads.
pub const HEALTH_REASONS_MAX: usize = 16;

/// Longest reason or event message, bytes: two lines on a wide terminal.
pub const REASON_MESSAGE_MAX_BYTES: usize = 256;

/// Longest message of an event, bytes.
pub const EVENT_MESSAGE_MAX_BYTES: usize = 512;

/// Most addresses in a box's facts: a router has a handful.
pub const FACTS_ADDRESSES_MAX: usize = 16;

/// Largest page of a list: 500 devices are about 500 kB of protobuf.
pub const PAGE_SIZE_MAX: u32 = 500;

/// Page size when the caller names none.
pub const PAGE_SIZE_DEFAULT: u32 = 100;

/// Most things one watch stream follows: a page shows a handful; eight tabs share one stream.
pub const WATCH_SUBSCRIPTIONS_MAX: usize = 32;

/// Most labels on a device.
pub const LABELS_MAX: usize = 64;

/// Samples that a box keeps while nobody takes them: seven days at one each 15 seconds, about 8 MB.
pub const SPOOL_SAMPLES_MAX: usize = 7 * 24 * 60 * 4;

/// Version of the link protocol that this code speaks.
pub const LINK_PROTOCOL: u32 = 1;

/// Most trust bundles in a chain. A rotation adds two, so 63 of them fit: one a year is more than a lifetime.
pub const TRUST_BUNDLES_MAX: usize = 128;
