"""The clinic's care of itself: backups, retention, the clock, the certificate, the doctor, logs."""
