//! What both toys would otherwise write by hand for everything that they send or store: its [`Wire`] answers, and a plain
//! encoding for the real-time driver's sockets and files.
//!
//! [`Wire`]: regsim::protocol::Wire

use std::sync::Arc;

use regsim::protocol::{InstanceId, NodeId};

/// An encoding. What is read back may come from a torn file, so it can fail.
pub trait Codec: Sized {
    /// Appends the value.
    fn put(&self, out: &mut Vec<u8>);
    /// Takes a value from the front.
    fn take(from: &mut &[u8]) -> Option<Self>;
}

/// Declares a type that travels or is stored.
macro_rules! wire {
    ($(#[$doc:meta])* pub struct $name:ident {
        $($(#[$field_doc:meta])* pub $field:ident: $type:ty,)+
    }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $type,)+
        }

        impl $crate::toys::wire::Codec for $name {
            fn put(&self, out: &mut Vec<u8>) {
                $(self.$field.put(out);)+
            }
            fn take(from: &mut &[u8]) -> Option<$name> {
                Some($name { $($field: <$type as $crate::toys::wire::Codec>::take(from)?,)+ })
            }
        }
    };
    ($(#[$doc:meta])* pub enum $name:ident {
        $($(#[$variant_doc:meta])* $variant:ident($($field:ident: $type:ty),*),)+
    }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant($($type),*),)+
        }

        impl regsim::protocol::Wire for $name {
            fn bytes(&self) -> u32 {
                u32::try_from(size_of::<$name>()).expect("a small type")
            }
            fn kind(&self) -> &'static str {
                match self {
                    $($name::$variant(..) => stringify!($variant),)+
                }
            }
        }

        impl $crate::toys::wire::Codec for $name {
            fn put(&self, out: &mut Vec<u8>) {
                regsim::protocol::Wire::kind(self).as_bytes().to_vec().put(out);
                match self {
                    $($name::$variant($($field),*) => { $($field.put(out);)* })+
                }
            }
            fn take(from: &mut &[u8]) -> Option<$name> {
                let kind = Vec::<u8>::take(from)?;
                $(if kind == stringify!($variant).as_bytes() {
                    return Some($name::$variant($(<$type as $crate::toys::wire::Codec>::take(from)?),*));
                })+
                None
            }
        }
    };
}
pub(crate) use wire;

macro_rules! integer {
    ($($type:ty)*) => {
        $(impl Codec for $type {
            fn put(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }
            fn take(from: &mut &[u8]) -> Option<$type> {
                let (bytes, rest) = from.split_first_chunk()?;
                *from = rest;
                Some(<$type>::from_le_bytes(*bytes))
            }
        })*
    };
}
integer!(u8 u16 u32 u64 i64);

macro_rules! id {
    ($($type:ident)*) => {
        $(impl Codec for $type {
            fn put(&self, out: &mut Vec<u8>) {
                self.0.put(out);
            }
            fn take(from: &mut &[u8]) -> Option<$type> {
                u32::take(from).map($type)
            }
        })*
    };
}
id!(InstanceId NodeId);

impl<T: Codec> Codec for Vec<T> {
    fn put(&self, out: &mut Vec<u8>) {
        u32::try_from(self.len()).expect("a short list").put(out);
        self.iter().for_each(|item| item.put(out));
    }
    fn take(from: &mut &[u8]) -> Option<Vec<T>> {
        let len = u32::take(from)?;
        (0..len).map(|_| T::take(from)).collect()
    }
}

impl<T: Codec> Codec for Arc<[T]> {
    fn put(&self, out: &mut Vec<u8>) {
        u32::try_from(self.len()).expect("a short list").put(out);
        self.iter().for_each(|item| item.put(out));
    }
    fn take(from: &mut &[u8]) -> Option<Arc<[T]>> {
        Vec::take(from).map(Vec::into)
    }
}

impl<T: Codec> Codec for Option<T> {
    fn put(&self, out: &mut Vec<u8>) {
        u8::from(self.is_some()).put(out);
        self.iter().for_each(|item| item.put(out));
    }
    fn take(from: &mut &[u8]) -> Option<Option<T>> {
        match u8::take(from)? {
            0 => Some(None),
            _ => T::take(from).map(Some),
        }
    }
}

/// Nothing of it is ever sent or stored.
impl Codec for regsim::protocol::Never {
    fn put(&self, _: &mut Vec<u8>) {
        match *self {}
    }
    fn take(_: &mut &[u8]) -> Option<regsim::protocol::Never> {
        None
    }
}
