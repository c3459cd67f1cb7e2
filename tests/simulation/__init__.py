"""The money path on Kafka, simulated: our own code on a broker in memory, one seed, no waiting."""
