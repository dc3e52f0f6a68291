module breakglass.testbed/telemetry-agent

go 1.24.0
