-- Share of a carrier's flights that came late over seven local days, stamped with the end of the last of them.
-- A local day ends at four in the morning in New York; a flight that is then still in the air does not count yet.
with landed as (
    select carrier, arrived_late, label_known_at,
           cast((scheduled_departure at time zone 'America/New_York') - interval 4 hours as date) as local_day
    from departures
    where arrived_late is not null
),
ends as (
    select distinct carrier, local_day,
           (cast(local_day as timestamp) + interval 28 hours) at time zone 'America/New_York' as known_at
    from landed
)
select ends.carrier, ends.known_at,
       avg(cast(landed.arrived_late as integer)) as late_rate_7d,
       count(*) as flights_7d
from ends
join landed on landed.carrier = ends.carrier
    and landed.local_day between ends.local_day - 6 and ends.local_day
    and landed.label_known_at <= ends.known_at
group by ends.carrier, ends.known_at
