//! valetkeyd.
