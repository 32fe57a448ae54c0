DESCRIBE SELECT * FROM read_parquet([{{ paths | map("quoted") | join(", ") }}],
  hive_partitioning = false)
