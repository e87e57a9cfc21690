SELECT concat_ws(',', {fields})
  FROM {target} t
 WHERE {among} NOT EXISTS (SELECT FROM {stage} s WHERE {same})
