SELECT number, caller, host, all_v1, rejected, at_boot, offset_us, last_offset_us
FROM sightings ORDER BY number
