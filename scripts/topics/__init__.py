"""Looking into Kafka and giving topics more partitions (section 3.4)."""
