COPY (SELECT s.{source_key}, {texts}
        FROM {stage} s JOIN {target} t ON {same}
       WHERE ROW({held})::record *= ROW({staged})::record) TO STDOUT
