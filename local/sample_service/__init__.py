"""One small program in the place of the dashboard's five services: real work, real metrics, faults on demand."""
