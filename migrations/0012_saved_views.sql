-- Filters of the status view that somebody gave a name (STA-1). They are a person's own and change nothing for anybody else,
-- so that they are neither audited nor known to the planner.
CREATE TABLE saved_view (
    id INTEGER PRIMARY KEY,
    account_id INTEGER NOT NULL REFERENCES account (id),
    name TEXT NOT NULL COLLATE NOCASE,
    -- A view::PatchFilter as JSON.
    filter TEXT NOT NULL CHECK (json_valid(filter)),
    UNIQUE (account_id, name)
) STRICT;
