# Tests that look at what a killed director left: every director that starts sweeps it away, so no
# other test may start one meanwhile.
set_tests_properties("tools:clean keeps what somebody uses and removes what nobody does"
  PROPERTIES RUN_SERIAL TRUE)
