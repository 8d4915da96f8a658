-- How many organizations somebody owns is told with each of them, and a plan limits it.
insert into sizes (kind, owner, size)
select 'organizations', user_id, count(*) from memberships where owner and user_id is not null group by user_id;
