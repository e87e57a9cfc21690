SELECT s.{source_key}, v.name, left(v.staged, {longest}), left(v.held, {longest})
  FROM {stage} s JOIN {target} t ON {same}
 CROSS JOIN LATERAL (VALUES {pairs}) AS v(name, staged, held, differs)
 WHERE v.differs AND s.{source_key} = ANY({keys})
