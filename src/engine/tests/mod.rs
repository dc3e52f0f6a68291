//! What the engine promises, over plans made of the kinds of steps, in a world where anything may go wrong at any point.

mod announced;
mod cancel;
mod clocks;
mod end_pods;
mod exchange;
mod faults;
mod formats;
mod found;
mod fuses;
mod half_undone;
mod kills;
mod kinds;
mod limits;
mod manifests;
mod park;
mod requests;
mod revoke;
mod samples;
mod strangers;
mod stuck;
mod support;
mod syncs;
mod together;
mod told_back;
mod waits;
mod whole;
