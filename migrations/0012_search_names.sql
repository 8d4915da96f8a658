-- The names of organizations in an index of trigrams, in lower case, under numbers that stay: for whoever is in very many of
-- them. Organizations come one by one, so that each may cost the index a segment.
create table search_organization_numbers (
    number integer primary key,
    organization_id text not null unique
);
create virtual table search_organizations using fts5 (
    name, id unindexed, tokenize = 'trigram', detail = 'none', columnsize = 0
);
insert into search_organization_numbers (organization_id) select id from organizations order by created_at, id;
insert into search_organizations (rowid, name, id)
select n.number, folded(o.name), o.id
from search_organization_numbers n join organizations o on o.id = n.organization_id order by n.number;

create trigger search_organizations_insert after insert on organizations begin
    insert into search_organization_numbers (organization_id) values (new.id);
    insert into search_organizations (rowid, name, id)
    select number, folded(new.name), new.id from search_organization_numbers where organization_id = new.id;
end;
create trigger search_organizations_update after update of name on organizations when new.name <> old.name begin
    update search_organizations set name = folded(new.name)
    where rowid = (select number from search_organization_numbers where organization_id = new.id);
end;
create trigger search_organizations_delete after delete on organizations begin
    delete from search_organizations
    where rowid = (select number from search_organization_numbers where organization_id = old.id);
    delete from search_organization_numbers where organization_id = old.id;
end;
