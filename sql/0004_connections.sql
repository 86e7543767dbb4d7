-- Who is connected, for operators: Orleans keeps grain state as JSON in orleansstorage, where graintypestring is the state's
-- name and grainidextensionstring a text key. What a dead frontend held stays in these rows until somebody looks (its
-- lease's row goes within 15 s), so the views leave out slots and shares without a lease.

CREATE VIEW frontend_leases AS
SELECT s.serviceid, (lease ->> 'epoch')::bigint AS epoch, lease ->> 'name' AS frontend, coalesce(share.held, 0) AS held,
       s.modifiedon AS stored_at
FROM orleansstorage s
CROSS JOIN jsonb_array_elements(convert_from(s.payloadbinary, 'UTF8')::jsonb -> 'leases') AS lease
LEFT JOIN (
  SELECT t.serviceid, (element ->> 'epoch')::bigint AS epoch, (element ->> 'held')::integer AS held
  FROM orleansstorage t
  CROSS JOIN jsonb_array_elements(convert_from(t.payloadbinary, 'UTF8')::jsonb -> 'shares') AS element
  WHERE t.graintypestring = 'connection-total'
) AS share ON share.serviceid = s.serviceid AND share.epoch = (lease ->> 'epoch')::bigint
WHERE s.graintypestring = 'frontend-leases';

COMMENT ON COLUMN frontend_leases.held IS 'Connections the frontend may have, as last stored: it may have handed some back since';

CREATE VIEW connection_slots AS
SELECT s.serviceid, s.grainidextensionstring AS user_id, (slot ->> 'connection')::uuid AS connection_id,
       lease.epoch, lease.frontend, (slot ->> 'since')::timestamptz AS since
FROM orleansstorage s
CROSS JOIN jsonb_array_elements(convert_from(s.payloadbinary, 'UTF8')::jsonb -> 'slots') AS slot
JOIN frontend_leases lease ON lease.serviceid = s.serviceid AND lease.epoch = (slot ->> 'epoch')::bigint
WHERE s.graintypestring = 'user-connections';
