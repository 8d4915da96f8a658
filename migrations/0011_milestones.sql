-- How many members an organization has got between one moment and the next, about a thousand each: whoever counts those of a range of
-- moments, or asks for a page far behind, has these numbers added up and members of one part or two read, not all of them.
create table milestones (
    kind text not null,
    owner text not null,
    -- The moment from which on it counts, the first of all from 0, until the next one.
    since bigint not null,
    -- The latest moment at which one of them was made.
    latest bigint not null,
    size bigint not null,
    primary key (kind, owner, since)
);
insert into milestones (kind, owner, since, latest, size)
select 'memberships', organization_id, case when part = 0 then 0 else min(created_at) end, max(created_at), count(*)
from (
    -- Those of one moment are before or behind a milestone together.
    select organization_id, created_at, (rank() over (partition by organization_id order by created_at) - 1) / 1000 as part
    from memberships
) m
group by organization_id, part;
