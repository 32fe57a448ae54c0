DESCRIBE SELECT * FROM read_parquet({{ path | quoted }},
  hive_partitioning = false)
