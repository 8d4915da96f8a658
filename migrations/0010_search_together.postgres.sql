-- There the index belongs to the table.
select 1;
