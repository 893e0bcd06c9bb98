// Ways to a masked value past the mask, one text each: every one must come back masked, denied or as an error, and without the value.

/** `%` stands for nothing here; texts are sent as they are. */
export const doors: readonly string[] = String.raw`
select ssn from customers
select * from customers
select customers.* from customers
select c.ssn from customers c
select c.* from customers as c
select SSN from CUSTOMERS
select cUsToMeRs.sSn from customers
select ${'`'}ssn${'`'} from ${'`'}customers${'`'}
select $DB.customers.ssn from $DB.customers
select $DB.customers.* from $DB.customers
select ssn from $DB.customers
select ssn as name from customers
with u as (select ssn as name from customers) select name from u
with customers as (select * from customers) select ssn from customers
with recursive customers as (select ssn, 1 n from orders union all select ssn, n + 1 from customers where n < 2) select * from customers
with a as (select * from customers), b as (select * from a) select * from b
select name from (select ssn as name from customers) u
select (select ssn from customers where id = 1)
select (select ssn from customers where id = 1) from dual
select max(ssn), min(email), sum(salary) from customers
select group_concat(ssn order by id separator '|') from customers
select json_arrayagg(ssn), json_objectagg(id, ssn) from customers
select concat_ws(',', id, ssn, salary) from customers
select hex(ssn), to_base64(ssn), reverse(ssn), md5(ssn), sha2(ssn, 256) from customers
select substring(ssn, 1, 3), left(ssn, 3), mid(ssn, 1, 11), right(ssn, 11) from customers
select ascii(substring(ssn, 1, 1)) from customers
select * from customers where ssn like '917%'
select id from customers where ssn = '917-66-4417' and (select 1 from (select sleep(0)) s) is null
select id, ssn regexp '^917' from customers
select id from customers order by ssn
select ssn from customers group by ssn having ssn like '9%'
select ssn from customers union select email from customers
select ssn from customers union all select 1
(select ssn from customers) union (select email from customers) order by 1
(select ssn from customers)
((select ssn from customers))
(select id from customers) order by ssn
select ssn from customers except select 'x'
select ssn from customers intersect select ssn from customers
table customers
values (1), ((select ssn from customers where id = 1))
select * from customers natural join customers d
select * from orders join customers on customers.id = orders.customer
select * from orders left join customers c on c.id = orders.customer where c.ssn is not null
select * from orders straight_join customers
select * from orders, customers
select d.ssn from orders o join customers d using (id)
select * from (orders, customers)
select * from (customers)
select * from ((customers))
select x.ssn from (select * from customers) x
select x.y from (select ssn as y from customers) as x
select * from customers use index (primary)
select * from customers ignore index for order by (primary) order by ssn
select * from customers partition (p0)
select distinct ssn from customers
select sql_no_cache ssn from customers
select high_priority ssn from customers
select sql_calc_found_rows ssn from customers
select ssn from customers for update
select ssn from customers lock in share mode
select ssn from customers procedure analyse()
select ssn from customers limit 1 into @s
select ssn into @s from customers limit 1
select @s
select @z := ssn from customers
select @z
set @y = (select ssn from customers where id = 1)
select @y
do @w := (select max(ssn) from customers)
select @w
select ssn from customers into outfile '/tmp/sallyport-leak.txt'
select ssn from customers limit 1 into dumpfile '/tmp/sallyport-leak.bin'
select load_file('/etc/passwd')
select extractvalue(1, concat(0x7e, (select ssn from customers where id = 1)))
select updatexml(1, concat(0x7e, (select ssn from customers where id = 1)), 1)
select exp(~(select * from (select ssn from customers where id = 1) x))
select 1 from customers where ssn = 1
show warnings
show errors
show count(*) warnings
get diagnostics condition 1 @m = message_text
select @m
select cast(ssn as date) from customers
select json_extract(ssn, '$') from customers
select st_geomfromtext(ssn) from customers
select name_const('x', (select ssn from customers where id = 1))
select row(1, (select ssn from customers where id = 1)) = row(1, 'x')
select case when ssn like '917%' then 'yes' else 'no' end, ssn from customers
select if(ssn > '9', ssn, email) from customers
select coalesce(ssn, email), nullif(ssn, 'x'), ifnull(ssn, 1) from customers
select interval(ssn, 1, 2), elt(1, ssn), field('a', ssn), greatest(ssn, ''), least(ssn, 'z') from customers
select first_value(ssn) over (order by id), lag(ssn) over (order by id) from customers
select row_number() over w, ssn from customers window w as (order by ssn)
select count(distinct ssn), any_value(ssn) from customers
select convert(ssn using utf8mb4), cast(ssn as char), binary ssn from customers
select ssn collate utf8mb4_bin from customers
select trim(both ' ' from ssn), position('9' in ssn), replace(ssn, 'x', 'y') from customers
select aes_decrypt(aes_encrypt(ssn, 'k'), 'k') from customers
select uncompress(compress(ssn)) from customers
select exists(select 1 from customers where ssn = '917-66-4417'), ssn from customers
select ssn from customers where id = any (select id from customers where ssn like '917%')
select (select ssn from customers c where c.id = o.customer) from orders o
select (select max(email) from customers c where c.id <= o.customer) from orders o limit 1
update orders o join customers c on c.id = o.customer set o.total = c.salary where o.id = 1
update customers set note = ssn where id = 1
select note from customers where id = 1
update customers set note = (select ssn from (select * from customers) d where d.id = 1) where id = 2
update customers set note = concat(email, '') where id = 1
update customers set name = 'x' where ssn = '917-66-4417'
delete from customers where ssn = 'x' returning ssn
delete from customers where id = 99 returning *
insert into customers (id, name) values (90, 'x') returning ssn
insert into numbers select id, ssn from customers
insert into numbers (id, filler) select salary, email from customers
insert into numbers values (1, (select ssn from customers where id = 1))
insert into numbers set id = 1, filler = (select ssn from customers where id = 1)
replace into numbers select id, ssn from customers
insert into customers (id, name) values (1, 'x') on duplicate key update note = ssn
insert into customers values (1, 'x', 'y', 'z', 1, 'w')
insert into customers (id, name, ssn) values (91, 'x', 'forbidden')
create table copy as select * from customers
create table copy select * from customers
create table copy (a int) engine=merge union=(customers)
create table copy like customers
create temporary table copy as select ssn from customers
create temporary table copy (primary key (id)) select * from customers
create view v as select ssn from customers
create or replace view contacts as select ssn as name from customers
create function f() returns text return (select ssn from customers limit 1)
create procedure p() select ssn from customers
create trigger t before update on orders for each row set @t = (select ssn from customers limit 1)
create event e on schedule every 1 second do select 1
alter table customers rename column ssn to name2
alter table customers change ssn note2 varchar(20)
alter table customers rename to harmless
rename table customers to harmless
alter table customers add column copy varchar(20) as (ssn)
alter view contacts as select ssn as name from customers
drop view contacts
select leak()
select $DB.leak()
call blurt()
call $DB.blurt()
select * from contacts
select email from contacts where id = 1
select harmless from addresses
select * from addresses
select worst from odd
select * from odd limit 1
handler customers open
handler customers read first
handler customers read next
handler customers close
prepare s from 'select ssn from customers'
execute s
prepare s2 from @q
execute s2
set @q = 'select ssn from customers'
prepare s3 from @q
execute s3
execute immediate 'select ssn from customers'
execute immediate concat('select ssn ', 'from customers')
execute immediate @q
begin not atomic select ssn from customers; end
explain select ssn from customers where ssn = '917-66-4417'
explain extended select * from customers
explain format=json select * from customers where ssn like '9%'
analyze select * from customers
analyze format=json select * from customers where ssn > '9'
explain format=json select o.id from orders o, customers c where c.id = 1 and o.placed > c.ssn
explain format=json select o.id, c.ssn, c.email, c.salary from orders o, customers c where c.id = 1
explain format=json select o.id from orders o where o.placed in (select c.email from customers c where c.id = 1)
explain format=tree select o.id from orders o, customers c where c.id = 1 and o.placed > c.ssn
explain analyze select o.id from orders o, customers c where c.id = 1 and o.placed > c.ssn
analyze format=json select o.id from orders o, customers c where c.id = 1 and o.placed > c.email
explain extended select o.id, c.ssn from orders o, customers c where c.id = 1; show warnings
explain select o.id, c.ssn from orders o, customers c where c.id = 1; show warnings
explain format=json select o.id, c.email, c.name from orders o, contacts c where c.id = 1
analyze table customers persistent for all
select * from mysql.column_stats
select * from mysql.user
select * from mysql.general_log
select * from information_schema.processlist
select * from performance_schema.events_statements_history
select info from information_schema.processlist where info like '%917%'
show processlist
show full processlist
show engine innodb status
show grants
show create user current_user()
show binlog events
show table status like 'customers'
checksum table customers
load data infile '/etc/passwd' into table scratch
load data local infile '/etc/passwd' into table scratch
load data concurrent  local infile '/etc/passwd' into table numbers
load xml infile '/etc/passwd' into table numbers
/*! select ssn from customers */
/*!50000 select ssn from customers */
select 1 /*!50000 , (select ssn from customers where id = 1) */
select 1 /*!99999 , ssn */ from customers
select /*M!100000 ssn */ from customers
select /*!40101 ssn */ from customers
select 1 /* /* */, ssn from customers -- */
select 1 --1, ssn from customers
select 1 -- 1, ssn from customers
select ssn # comment
select 1 /**/,/**/ssn/**/from/**/customers
select/**/ssn/**/from/**/customers
select /*+ SET_VAR(sql_mode='ANSI_QUOTES') */ "ssn" from customers
set sql_mode = 'ANSI_QUOTES'
set session sql_mode = 'ansi'
set @@sql_mode = concat(@@sql_mode, ',ANSI_QUOTES')
set @@session.sql_mode := 'NO_BACKSLASH_ESCAPES'
set sql_mode = default
set sql_mode = @q
set statement sql_mode = 'ANSI_QUOTES' for select "ssn" from customers
set names gbk
set character set big5
set names latin1
set character_set_client = gbk
set collation_connection = gbk_chinese_ci
select concat("ssn") from customers
select 'a\' , ssn from customers -- '
select 'a\\', ssn from customers
select _gbk'a', ssn from customers
select _gbk x'bf5c', ssn from customers
select "a"".", ssn from customers
select n'x', x'41', b'01', 0x41, ssn from customers
select ssn ssn, (ssn) from customers
select 1.e1, ssn from customers
select .5ssn from customers
select customers . ssn from customers
select -ssn, +ssn, ~salary, !ssn, not ssn from customers
select ssn between '9' and 'a', ssn in ('x'), ssn is null, ssn sounds like 'x', ssn from customers
select match(note) against ('first'), ssn from customers
select {fn ucase(ssn)} from customers
select * from {oj customers left outer join orders on 1 = 1}
select * from json_table((select json_arrayagg(ssn) from customers), '$[*]' columns (s varchar(20) path '$')) t
select * from customers for system_time all
select ssn from customers where 0 union select ssn from customers where 1
select * from customers a join customers b on a.ssn = b.ssn
select t.* from (select c.*, o.total from customers c join orders o on o.customer = c.id) t
update orders set total = (select salary from customers where id = 1) where id = 1
select total from orders where id = 1
set @a := 1, @b = (select email from customers where id = 1)
select @b
set session max_statement_time = (select salary from customers where id = 1)
set global general_log = 1
set global init_connect = 'select 1'
flush tables
grant all on *.* to 'x'@'%' identified by 'y'
kill query (select salary from customers limit 1)
set global init_connect = (select ssn from customers limit 1)
select @@init_connect
call pair((select salary from customers limit 1), @o)
select @o
call pair(@x := (select salary from customers limit 1), @o)
xa start 'x'
help 'select'
select ssn from customers; select 1
select 1; select ssn from customers
use mysql; select * from user
lock tables customers read
select * from customers
unlock tables
select ssn, tok from (select ssn, 'tok_0123456789abcdef' tok from customers) q
insert into numbers (id, filler) values (5, 'tok_0123456789abcdef')
`
  .trim()
  .split('\n')

/** Ordinary statements that must go through and answer. */
export const mustWork: readonly string[] = String.raw`
delete from orders where id > 1000
select 1
select 1 as one, 'two' as two
select count(*) from orders
select id, name from customers where id = 1
select c.name, count(*) n from customers c left join orders o on o.customer = c.id group by c.name having n > 1 order by n desc limit 5
select * from orders where id between 3 and 5 and total > 1
select o.id from orders o where o.customer in (select id from customers where name like 'A%')
with recent as (select * from orders where id > 90) select count(*) from recent
with recursive n as (select 1 i union all select i + 1 from n where i < 5) select sum(i) from n
select date_add(placed, interval 1 day), placed + interval 2 month, extract(year from placed), date_format(placed, '%Y') from orders limit 1
select case total when 1.5 then 'a' else 'b' end, if(id > 1, 'x', 'y') from orders limit 2
select group_concat(distinct customer order by customer desc separator ';') from orders
select row_number() over (partition by customer order by total desc) r, id from orders limit 3
select cast(total as char(10)), convert(total, signed), cast('2026-01-01' as date) from orders limit 1
select @@version, @@session.sql_mode, @@max_allowed_packet
select database(), user() is not null, connection_id() > 0, last_insert_id()
select table_name from information_schema.tables where table_schema = database()
select 1 union select 2 order by 1 desc limit 1
select (1 + 2) * 3, 7 div 2, 7 mod 2, 7 % 2, 1 << 2, 5 & 4, 5 | 2, 5 ^ 1, ~0, !1, not 0
select 'it''s', 'it\'s', "quoted", n'x', x'4142', 0x41, b'101', 1e3, .5, 1.
select json_extract('{"a": [1, 2]}', '$.a[1]'), json_unquote('"x"')
select trim(leading 'x' from 'xxy'), substring('abc' from 2 for 1), position('b' in 'abc')
select * from orders o natural join staff s
select * from (select id from orders limit 3) d join orders using (id)
select exists (select 1 from orders), 1 in (1, 2), (1, 2) = (1, 2), null <=> null
insert ignore into orders (id, customer, total) values (1001, 1, 5), (1002, 2, 6)
replace into orders set id = 1003, customer = 1
replace into orders (id, customer) select 1004, 1
insert into orders (id, customer, total) values (1001, 1, 7) on duplicate key update total = values(total) + total
replace into orders (id, customer, total) values (1005, 1, 1)
update orders set total = total + 1 where id = 1001
update orders o join staff s on s.id = o.id set o.total = 0 where o.id = 1
update customers set email = 'new@example.test' where id = 3
delete from orders where id = 1002
delete o from orders o join staff s on s.id = o.id where o.id = 2
start transaction
savepoint a
rollback to savepoint a
release savepoint a
commit
begin
rollback
set autocommit = 1
set names utf8mb4
set names utf8mb4 collate utf8mb4_unicode_ci
set character_set_results = NULL
set sql_mode = 'STRICT_TRANS_TABLES'
set session sql_mode = concat(@@sql_mode, ',NO_ZERO_DATE')
set session transaction isolation level read committed
set time_zone = '+00:00', foreign_key_checks = 0
set @v = 5, @w := @v + 1
select @v, @w
show tables
show full columns from orders
show variables like 'version%'
show create table orders
show index from orders
show databases
show status like 'Threads%'
describe orders
explain select * from orders where id = 1
explain format=json select * from orders
/* comment */ select 1 -- trailing
select /*!40101 1 + */ 1
/*!40101 SET @old = @@sql_mode */
create temporary table mine (a int, b varchar(10))
insert into mine values (1, 'x')
select * from mine
drop temporary table mine
do sleep(0)
prepare fine from 'select id from orders where id = ?'
set @id = 5
execute fine using @id
deallocate prepare fine
select * from kinds
use $DB
`
  .trim()
  .split('\n')

/** What MySQL does not know. */
export const mustWorkAtMariadb: readonly string[] = ["execute immediate 'select 1'"]
