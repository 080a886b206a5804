//! Dense identifiers. Names are interned at the edge (plan, server front end), so that nothing inside hashes a string.
//!
//! A machine compares and stores ids; it never computes with them.

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $inner);

        impl $name {
            /// The id as an index into a table of its kind.
            pub fn index(self) -> usize {
                self.0 as usize
            }
        }
    };
}

id! {
    /// One process, in any role. Dense within a run.
    NodeId(u32)
}
id! {
    /// An interned `host:port`. What stands behind it is the driver's business and may change.
    Address(u32)
}
id! {
    /// A logical service name (Eureka: the application).
    ServiceId(u32)
}
id! {
    /// An instance id (Eureka: `instanceId`). One endpoint of a service.
    InstanceId(u32)
}
id! {
    /// Which of a process's connection pools a call uses.
    PoolId(u8)
}
id! {
    /// A call that this process made. Unique within the driver.
    CallId(u64)
}
id! {
    /// A request that reached this process and waits for its `Respond`. Unique within the driver.
    RequestId(u64)
}
id! {
    /// One end of a TCP session. Unique within the driver; the two ends have different ids.
    LinkId(u64)
}
id! {
    /// An operation that was asked of a process. Unique within the driver.
    Ticket(u64)
}
