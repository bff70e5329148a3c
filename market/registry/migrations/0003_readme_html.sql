-- READMEs as HTML, made when one is looked at first: publishing does not wait for it. `renderer` is the version of
-- the rendering; what an older one made is made anew.
create table readme_html (
    package text not null,
    version text not null,
    renderer integer not null,
    html text not null,
    primary key (package, version),
    foreign key (package, version) references readme (package, version) on delete cascade
) strict;
