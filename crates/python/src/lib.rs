//! The PyO3 module `procwire._core`.
