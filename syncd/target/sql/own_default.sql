-- The default of a column of the scratch schema, as it reads with another sequence in the place of one.
SELECT replace(pg_get_expr(d.adbin, d.adrelid), quote_literal(format('%%I.%%I', %(schema)s::text, %(sequence)s::text)::regclass::text),
               quote_literal(format('%%I.%%I', %(scratch)s::text, %(own)s::text)))
  FROM pg_attrdef d
  JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
 WHERE d.adrelid = format('%%I.%%I', %(scratch)s::text, %(table)s::text)::regclass AND a.attname = %(column)s
