# Tests that look at what a killed director left: every director that starts sweeps it away, so no
# other test may start one meanwhile.
set_tests_properties("tools:clean keeps what somebody uses and removes what nobody does"
  "tools:a segment of another layout version is named, not read"
  "director:what a killed director and its dead workers left is gone after the next run"
  "tools:a killed worker's last acknowledged put is in the log once, and its end is on record"
  PROPERTIES RUN_SERIAL TRUE)
