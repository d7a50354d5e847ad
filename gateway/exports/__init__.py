"""The access log in the forms that others read: FHIR, syslog, JSON lines, CSV, and a page."""
