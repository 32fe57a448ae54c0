{# Where even the most that was counted ahead of lines is no more than the least, nothing is
   missing: so it is in nearly every log. #}
SELECT writer, is_run FROM counted_lines GROUP BY writer, is_run
HAVING max(counted_so_far - opened) > min(counted_so_far - counted - closed)
