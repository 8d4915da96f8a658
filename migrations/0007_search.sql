-- What large organizations are asked: how many members have a status or a role, who they are, and whose address contains
-- a text.

insert into sizes (kind, owner, size)
select 'memberships.status.' || status, organization_id, count(*) from memberships group by status, organization_id;
insert into sizes (kind, owner, size)
select 'memberships.role.' || role_id, organization_id, count(*) from memberships group by role_id, organization_id;
create index application_memberships_role on application_memberships (role_id, created_at, id);

-- The members' addresses in an index of trigrams, under numbers that stay. What begins with `search` is made from other
-- tables and is neither copied nor compared.
create table search_numbers (
    number integer primary key,
    membership_id text not null unique
);
create virtual table search_memberships using fts5 (
    user_email, id unindexed, organization_id unindexed, tokenize = 'trigram', detail = 'none', columnsize = 0
);
insert into search_numbers (membership_id) select id from memberships order by created_at, id;
insert into search_memberships (rowid, user_email, id, organization_id)
select n.number, m.user_email_key, m.id, m.organization_id
from search_numbers n join memberships m on m.id = n.membership_id order by n.number;

create trigger search_memberships_insert after insert on memberships begin
    insert into search_numbers (membership_id) values (new.id);
    insert into search_memberships (rowid, user_email, id, organization_id)
    select number, new.user_email_key, new.id, new.organization_id from search_numbers where membership_id = new.id;
end;
create trigger search_memberships_update after update of user_email_key on memberships
when new.user_email_key <> old.user_email_key begin
    update search_memberships set user_email = new.user_email_key
    where rowid = (select number from search_numbers where membership_id = new.id);
end;
create trigger search_memberships_delete after delete on memberships begin
    delete from search_memberships where rowid = (select number from search_numbers where membership_id = old.id);
    delete from search_numbers where membership_id = old.id;
end;
