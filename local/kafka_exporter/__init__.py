"""Answers Prometheus in the place of danielqsj/kafka_exporter, which cannot be built from its Go module.

Flags, names, labels and meanings are those of the genuine exporter as far as the alerts of this project use them, so
that production swaps in its image without another change. What differs: it starts without a broker and serves
`kafka_brokers 0`, where the genuine one ends; and with every broker gone it shows that and nothing else, where the
genuine one goes on showing what it last knew of partitions and replicas.
"""
