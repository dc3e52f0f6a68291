//! Real hosts, firewalls and control planes on one machine, for the tests.
