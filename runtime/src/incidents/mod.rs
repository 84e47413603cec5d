//! Incidents and the alerts they produce: which alerts are due, which were sent, and their records.

pub(crate) mod alert;
pub(crate) mod alert_stager;
pub(crate) mod records;
pub(crate) mod staging_control;
pub(crate) mod test_alert;
