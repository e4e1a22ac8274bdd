//! The server: configuration, HTTP, the request path, workers, pages, and the command line of the one binary.

pub mod access;
pub mod accounts;
pub mod api;
pub mod cli;
pub mod config;
pub mod console;
pub mod data_dir;
pub mod decider;
pub mod demo;
pub mod desk;
pub mod editor;
pub mod explain;
pub mod gateway;
pub mod gather;
#[cfg(test)]
mod generated;
pub mod http;
pub mod ingest;
pub mod learning;
pub mod limits;
pub mod live;
pub mod live_rows;
pub mod live_view;
pub mod metrics;
pub mod node;
pub mod pacing_tables;
pub mod problem;
pub mod promises;
pub mod replay;
pub mod secrets;
pub mod serve;
pub mod tokens;
pub mod training;
pub mod why_not;
pub mod workers;
pub mod world;
