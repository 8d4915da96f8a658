-- An index of trigrams takes all members of a commit that are new or gone together: one by one costs it a segment each.
-- `schema.rs` has the statements that do it.
create table search_gone (number integer primary key);
drop trigger search_memberships_insert;
create trigger search_memberships_insert after insert on memberships begin
    insert into search_numbers (membership_id) values (new.id);
end;
drop trigger search_memberships_delete;
create trigger search_memberships_delete after delete on memberships begin
    insert or ignore into search_gone (number) select number from search_numbers where membership_id = old.id;
    delete from search_numbers where membership_id = old.id;
end;
