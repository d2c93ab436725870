-- One row a scheduled departure: what was known before it, and how it ended.
-- The label is known an hour after landing: 37 % of flights reach the gate more than half an hour after take-off
-- plus air time, 1 % more than an hour.
select concat_ws('-', carrier, flight, origin, strftime(time_hour + to_minutes(minute), '%Y%m%d%H%M')) as flight_id,
       time_hour + to_minutes(minute) as scheduled_departure,
       carrier, origin, dest, tailnum, distance,
       hour as local_hour, minute,
       arr_delay > 15 as arrived_late,
       time_hour + to_minutes(minute) + to_minutes(cast(dep_delay + air_time + 60 as bigint)) as label_known_at
from flights
