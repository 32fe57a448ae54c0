-- Send these one by one. The table is made once. Where CloudTrail's table is there already, only
-- the query is needed, with the name of that table.

CREATE DATABASE IF NOT EXISTS `{{ database }}`;

{# The columns of CloudTrail's own table, as far as the query needs them. Its InputFormat takes the
   records out of their array. #}
CREATE EXTERNAL TABLE IF NOT EXISTS `{{ database }}`.`{{ table }}` (
  `useridentity` struct<
    `type`: string, `principalid`: string, `arn`: string, `accountid`: string,
    `sessioncontext`: struct<
      `attributes`: struct<`mfaauthenticated`: string, `creationdate`: string>,
      `sessionissuer`: struct<`type`: string, `principalid`: string, `arn`: string, `accountid`: string, `username`: string>,
      `ec2roledelivery`: string>>,
  `eventtime` string,
  `eventsource` string,
  `eventname` string,
  `awsregion` string,
  `sourceipaddress` string,
  `useragent` string,
  `errorcode` string
)
PARTITIONED BY (`account` string, `region` string, `day` string)
ROW FORMAT SERDE 'org.apache.hive.hcatalog.data.JsonSerDe'
STORED AS INPUTFORMAT 'com.amazon.emr.cloudtrail.CloudTrailInputFormat'
OUTPUTFORMAT 'org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat'
LOCATION '{{ place }}'
TBLPROPERTIES (
  'projection.enabled' = 'true',
  'projection.account.type' = 'enum',
  'projection.account.values' = '{{ accounts | join(",") }}',
  'projection.region.type' = 'enum',
  'projection.region.values' = '{{ regions | join(",") }}',
  'projection.day.type' = 'date',
  'projection.day.format' = 'yyyy/MM/dd',
  'projection.day.range' = '{{ since_day }},NOW',
  'storage.location.template' = '{{ place }}${account}/CloudTrail/${region}/${day}'
);

-- API calls that were made with credentials from IMDSv1, by role, instance and user agent.
-- Save the answer as CSV: imds-analyzer audit --uses FILE --logs PATH says who fetched them.

{{ question }};
