//! Incidents and their alerts: due alerts, sent alerts, and the records of both.

pub(crate) mod alert;
pub(crate) mod alert_stager;
pub(crate) mod records;
pub(crate) mod staging_control;
pub(crate) mod test_alert;
