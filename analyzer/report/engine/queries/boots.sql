SELECT host, boot, first_us, last_us, booted_us, attached_s, stopped_us FROM (
  SELECT *, row_number() OVER (
    PARTITION BY host ORDER BY coalesce(booted_us, first_us) DESC, boot) AS place_in_host
  FROM boot_times
) AS ranked WHERE place_in_host <= {{ BOOTS_MAX }}
ORDER BY host, coalesce(booted_us, first_us), boot
