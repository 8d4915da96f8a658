-- What people look for in history: the versions of one record, and those that are too old to be shown.

create index history_record on history (organization_id, resource_id, created_at, id) where published;
create index history_published_age on history (created_at) where published;
