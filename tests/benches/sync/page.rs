//! The browser's page among desktop players: how far off it is.
